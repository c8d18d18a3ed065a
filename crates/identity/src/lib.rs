//! Sign-in, refresh and sign-out at an OAuth 2.1 tenant.
