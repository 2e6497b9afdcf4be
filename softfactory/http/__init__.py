"""HTTP itself: what the blueprints share and the services never see."""
