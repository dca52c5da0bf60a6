"""Tencent Cloud: the same interface as every platform, and a refusal: no package to build it with."""
