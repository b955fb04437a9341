"""The sessions of clients, their jobs and the job queue."""
