"""How the miniature models are made: pictures, tokenizer, CLIP, autoencoder, diffusion, and their evaluation."""
