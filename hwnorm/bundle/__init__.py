"""What every generated folder has, whatever it was generated for: golden vectors, a manifest, and being whole."""
