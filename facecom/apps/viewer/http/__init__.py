"""The web server: access control, uploads, limits, and the filter of websocket messages."""
