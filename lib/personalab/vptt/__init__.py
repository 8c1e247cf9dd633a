"""The Visual Personalization Turing Test (VPTT), part by part."""
