"""The pure core, driven by values: no fixtures, no clock, no patching."""
