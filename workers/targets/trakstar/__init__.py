"""Trakstar Learn (Mindflash API v3): client calls out, mapping writes requests, replies reads answers."""
