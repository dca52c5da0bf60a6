"""Pure laws: fabric, bandwidth, claims and the judge. No effects, no cloud, no Pulumi."""
