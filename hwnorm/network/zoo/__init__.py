"""The networks that ship with hwnorm: one YAML file each, the file's name the network's."""
