"""Models behind one batched method each, chosen by a card in params/backends."""
