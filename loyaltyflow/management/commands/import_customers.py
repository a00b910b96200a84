from loyaltyflow.management.importing import ImportCommand
from loyaltyflow.store.intake import CUSTOMERS


class Command(ImportCommand):
    help = "Take in a CSV file of customers; what is known already is updated."
    kind = CUSTOMERS
