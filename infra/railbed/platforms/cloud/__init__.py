"""What all clouds share: tags, boot script, support tables, members of a pool, and the contract out of them."""
