from loyaltyflow.management.importing import ImportCommand
from loyaltyflow.store.intake import ORDERS


class Command(ImportCommand):
    help = "Take in a CSV file of orders; what is known already is updated."
    kind = ORDERS
