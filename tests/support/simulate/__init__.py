"""Collectives simulated channel by channel: rings and trees over rails, with faults. It tests the judge and blame.

It shares no code with the laws of `railbed.laws.bandwidth` nor with the judge: it knows hops and what they load,
and time follows. What it prints says that it is simulated.
"""

from tests.support.simulate.hardware import Cluster
from tests.support.simulate.run import Simulator
from tests.support.simulate.trouble import GdrOff, NvlsOff, Rerouted, Slow, SlowWay, Trouble

__all__ = ["Cluster", "GdrOff", "NvlsOff", "Rerouted", "Simulator", "Slow", "SlowWay", "Trouble"]
