"""Switches of a fabric that the operator owns: configurations rendered from the fabric plan, linted and compared.

Pure: nothing here reaches a switch. What a switch runs is fetched and loaded by its operator.
"""
