print("cartctl")
