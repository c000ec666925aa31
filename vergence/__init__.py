"""Vergence: vision-language models built, trained, evaluated and served from one codebase."""

__version__ = "0.1.0"
