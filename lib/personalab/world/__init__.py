"""The miniature world: attributes, their words, and (later) scenes and models."""
