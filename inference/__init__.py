"""A mammogram in, findings out: no network, no settings, no state."""

import os

# OpenMP's idle threads else spin on cores that the receiver or another worker needs: 8 times slower when shared.
# Read once, when PyTorch is loaded, hence here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
