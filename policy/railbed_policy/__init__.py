"""Rules over declared resources, and what they need to know of the providers' types (``types/*.yaml``)."""
