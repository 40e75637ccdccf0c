"""What every Opsfield process stands on. Knows no service and no resource kind."""
