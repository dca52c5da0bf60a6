"""Is this slower than that, or is it noise? Means of repeats, with a stated rate of false alarms.

Measurements scatter by ``noise`` (standard deviation over mean). The mean of m repeats against the mean of r others scatters
by noise·√(1/m + 1/r). A loss counts where it exceeds what that gives once in 1 / FALSE_ALARM comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist, fmean, median, stdev

from railbed.claims import FrozenModel
from railbed.judge import student

NOISE = 0.01 / math.sqrt(3)
"""Of measurements that lie evenly within ±1 %; less is never assumed, whatever a few repeats seem to say."""
FALSE_ALARM = 0.001
"""One in a thousand comparisons may call a healthy part slow; of several at once, one in a thousand sets."""
POWER = 0.95
"""How sure a loss of ``LOSS`` should be seen, where a number of repeats is asked for."""
LOSS = 0.03
MATERIAL = 0.015
"""A smaller loss is no fault, however sure it is."""
MIN_REPEATS = 3
"""Fewer do not show their own noise."""
MOST_REPEATS = 1000
NORMAL = NormalDist()


class Noise(FrozenModel):
    """How measurements scatter, and how well that is known."""

    share: float = NOISE
    """Standard deviation over mean."""
    degrees: int | None = None
    """Degrees of freedom of an estimate; None where it is given."""

    def quantile(self, probability: float) -> float:
        """How many standard deviations a mean may lie off."""
        if self.degrees is None:
            return NORMAL.inv_cdf(probability)
        return student.quantile(probability, self.degrees)


GIVEN = Noise()


class Comparison(FrozenModel):
    """What a mean of repeats says against a reference."""

    measured: float
    """Mean of the repeats."""
    reference: float
    loss: float
    """Share by which it is lower; negative where it is higher."""
    threshold: float
    """Loss from which on it counts."""
    power: float
    """How sure a loss of ``LOSS`` is seen with these repeats."""
    repeats: int
    noise: float

    @property
    def lost(self) -> bool:
        return self.loss > self.threshold


def noise_of(*series: Sequence[float]) -> Noise:
    """Noise of series that each repeat one measurement, pooled; the given one unless they clearly show more."""
    repeated = [v for v in series if len(v) >= MIN_REPEATS and fmean(v) > 0]
    degrees = sum(len(values) - 1 for values in repeated)
    if not degrees:
        return GIVEN
    estimate = math.sqrt(sum((len(v) - 1) * (stdev(v) / fmean(v)) ** 2 for v in repeated) / degrees)
    return Noise(share=estimate, degrees=degrees) if estimate > NOISE * _chance(degrees) else GIVEN


def _chance(degrees: int) -> float:
    """By how much an estimate of the given noise exceeds it once in 1 / FALSE_ALARM (Wilson and Hilferty 1931)."""
    part = 2 / (9 * degrees)
    return math.sqrt((1 - part + NORMAL.inv_cdf(1 - FALSE_ALARM) * math.sqrt(part)) ** 3)


def spread(noise: Noise, repeats: float, reference_repeats: float) -> float:
    """Standard deviation of the difference of two means, as a share."""
    return noise.share * math.sqrt(1 / repeats + 1 / reference_repeats)


def threshold(noise: Noise, repeats: float, reference_repeats: float, comparisons: int = 1) -> float:
    """Loss that noise alone exceeds in ``FALSE_ALARM`` of all sets of ``comparisons``; at least what matters."""
    by_chance = noise.quantile(1 - FALSE_ALARM / max(comparisons, 1)) * spread(
        noise, repeats, reference_repeats
    )
    return max(by_chance, MATERIAL)


def power(
    noise: Noise, repeats: float, reference_repeats: float, comparisons: int = 1, loss: float = LOSS
) -> float:
    """Probability that ``loss`` is seen."""
    limit = threshold(noise, repeats, reference_repeats, comparisons)
    return NORMAL.cdf((loss - limit) / spread(noise, repeats, reference_repeats))


def repeats_for(noise: Noise, reference_repeats: float, comparisons: int = 1) -> int | None:
    """Repeats with which a loss of ``LOSS`` is seen with ``POWER``; None where the reference is too noisy for any."""
    wanted = LOSS / (noise.quantile(1 - FALSE_ALARM / max(comparisons, 1)) + NORMAL.inv_cdf(POWER))
    left = (wanted / noise.share) ** 2 - 1 / reference_repeats
    return None if left <= 0 or math.ceil(1 / left) > MOST_REPEATS else math.ceil(1 / left)


def against(measured: Sequence[float], reference: Sequence[float], noise: Noise | None = None) -> Comparison:
    """Repeats against a reference that was itself measured, once or several times. Both must be positive."""
    noise = noise or noise_of(measured, reference)
    return _comparison(fmean(measured), fmean(reference), noise, len(measured), float(len(reference)), 1)


def among(
    values: Mapping[str, Sequence[float]], noise: Noise | None = None, comparisons: int = 0
) -> dict[str, Comparison]:
    """Each of several siblings, measured as often, against the median of the others. Needs three siblings.

    A median of N means scatters by √(π/2N) of one; one bad sibling does not move it. ``comparisons``: how many there are
    in all, where these siblings are not the only ones.
    """
    means = {name: fmean(v) for name, v in values.items() if v and min(v) > 0}
    if len(means) < 3:
        return {}
    noise = noise or noise_of(*(values[name] for name in means))
    found = {}
    for name, mean in means.items():
        others = [m for other, m in means.items() if other != name]
        repeats = len(values[name])
        effective = repeats * len(others) * 2 / math.pi
        found[name] = _comparison(mean, median(others), noise, repeats, effective, comparisons or len(means))
    return found


def _comparison(
    measured: float, reference: float, noise: Noise, repeats: int, reference_repeats: float, comparisons: int
) -> Comparison:
    return Comparison(
        measured=measured,
        reference=reference,
        loss=1 - measured / reference,
        threshold=threshold(noise, repeats, reference_repeats, comparisons),
        power=power(noise, repeats, reference_repeats, comparisons),
        repeats=repeats,
        noise=noise.share,
    )
