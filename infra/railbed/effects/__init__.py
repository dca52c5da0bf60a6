"""All that touches the world: the engine, SSH, Slurm, BMCs, mirrors, the lab's hosts, files of a checkout.

Imports the contract, the plan and what is below. It decides nothing that a pure module can decide, and no stage: those are
above it.
"""
