"""SQL of attempts to sign in with a provider, and of identities."""

from sqlalchemy import text

ADD_ATTEMPT = text("SELECT app.add_oauth_attempt(:hash, :provider, :redirect_url, :browser, :challenge, :expires_at)")
FIND_ATTEMPT = text("SELECT provider, redirect_url FROM app.find_oauth_attempt(:hash, :now)")
NAME_ATTEMPT = text("SELECT app.name_oauth_attempt(:hash, :name)")
SPEND_ATTEMPT = text("SELECT spent, name FROM app.spend_oauth_attempt(:hash, :provider, :browser, :challenge, :now)")
DROP_ATTEMPTS_THAT_ENDED = text("DELETE FROM oauth_attempts WHERE expires_at <= app.now()")

FIND_OWNER = text("SELECT * FROM app.find_owner(:provider, :subject, CAST(:email AS text))")
CLAIM_ACCOUNT = text("SELECT app.claim_account()")
ADD_PICTURE = text("UPDATE users SET avatar_url = :picture WHERE id = :user")
USE_IDENTITY = text("""
    UPDATE identities SET last_used_at = app.now(), email = :email, name = :name WHERE provider = :provider AND subject = :subject
""")
ADD_IDENTITY = text("""
    INSERT INTO identities (user_id, provider, subject, email, name) VALUES (:user, :provider, :subject, :email, :name)
    ON CONFLICT (provider, subject) DO NOTHING
""")
IDENTITY = """json_build_object(
    'id', i.id, 'provider', i.provider, 'email', i.email, 'name', i.name, 'created_at', app.rfc3339(i.created_at),
    'last_used_at', app.rfc3339(i.last_used_at))"""
FIND_IDENTITY = text(f"""
    SELECT {IDENTITY} FROM identities i WHERE i.provider = :provider AND i.subject = :subject AND i.user_id = :user
""")
IDENTITIES = text(f"""
    SELECT (SELECT count(*) FROM identities i WHERE i.user_id = :user) AS total,
           to_json(ARRAY(SELECT {IDENTITY} FROM identities i WHERE i.user_id = :user
                          ORDER BY i.created_at, i.id LIMIT :limit OFFSET :offset)) AS results
""")
WAYS_IN = text("""
    SELECT (SELECT count(*) FROM identities WHERE user_id = :user) + (SELECT count(*) FROM passwords WHERE user_id = :user)
""")
DELETE_IDENTITY = text("DELETE FROM identities WHERE id = :identity AND user_id = :user")
