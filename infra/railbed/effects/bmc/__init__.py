"""Machines behind a BMC that speaks Redfish: who they are, what is in them, their power, and installing them."""
