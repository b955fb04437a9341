"""One visitor's work: session, jobs and their queue."""
