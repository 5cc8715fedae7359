"""The worker that carries out one run: the loop yields events, the reporter writes them."""
