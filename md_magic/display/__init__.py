"""What a person sees: plain values and callables in, widgets, HTML and text out."""
