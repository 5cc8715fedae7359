"""From a file to batches: sources, columns, the report before a run, the order of batches."""
