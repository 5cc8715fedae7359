"""Compare runs and say what the numbers mean. Pure: reads the store, loads no torch."""
