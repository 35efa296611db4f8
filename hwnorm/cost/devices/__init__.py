"""Devices as data; see hwnorm.cost.device."""
