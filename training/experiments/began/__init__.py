"""Experiments on BEGAN: the γ sweep, M_global against KID, the bound on W1."""
