"""All that is known of one customer, on one page: it knows of all apps."""
