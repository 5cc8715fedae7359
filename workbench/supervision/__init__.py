"""Runs in the background: the queue, the slots, the shepherd of each worker, and the locks that tell who is alive."""
