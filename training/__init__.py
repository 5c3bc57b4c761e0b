"""Trains the Menagerie checkpoints from rendered shards. `python -m training --help` lists the stages."""
