"""What clients are offered, agree to, owe and pay."""
