"""What both ends and the SDK know of consultations: grants, and how a consultation is read."""
