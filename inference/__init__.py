"""A mammogram in, findings out: no network, no settings, no state."""
