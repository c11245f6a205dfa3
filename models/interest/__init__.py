"""What each customer wants next: a network over the user's typed events, beside what is counted of the user."""
