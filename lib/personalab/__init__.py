"""personalab: two papers on personal image generation, reproduced step by step.

`vptt` holds the Visual Personalization Turing Test, `zipp` zero-shot personalisation from personas. The
notebooks in `notebooks/` wire the parts together; nothing in here does so by itself.
"""

__version__ = "0.1.0"
