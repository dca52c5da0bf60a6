"""The Pulumi engine: found or built, and driven through the Automation API."""
