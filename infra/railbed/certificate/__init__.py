"""What a certificate says: its document, the list of the report's files, and what machines showed of themselves.

Pure: no files, no clock, no network. Imports claims and parsers. Signing and verifying are in ``railbed.validate``.
"""
