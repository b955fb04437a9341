"""Linear face models: mean, modes and a discrepancy field."""
