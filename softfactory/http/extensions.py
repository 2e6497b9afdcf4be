"""The Flask extensions, made once and bound to each application in the factory.

The rate limiter is not here: it keeps state, so each application makes its own (``limits``).
"""

from flask_jwt_extended import JWTManager
from flask_mailman import Mail
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from softfactory.models import Base

db = SQLAlchemy(
    metadata=Base.metadata,
    # What a view dumps after the commit must not be loaded again.
    session_options={"expire_on_commit": False},
    disable_autonaming=True,
)
migrate = Migrate()
jwt = JWTManager()
mail = Mail()
