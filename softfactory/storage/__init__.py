"""Where bytes live: one interface (``base``), its adapters, and the layout of keys."""
