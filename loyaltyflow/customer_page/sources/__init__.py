"""What a customer's timeline is made of, one module for each app's rows."""
