"""The server: who may see the page, what may be uploaded, what a browser may say."""
