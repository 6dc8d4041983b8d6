using System.Globalization;
using System.Security.Claims;

namespace Store;

internal static class UserExtensions
{
    extension(ClaimsPrincipal principal)
    {
        /// <summary>The id of the user who is signed in; null for a visitor.</summary>
        public int? Id =>
            principal.FindFirstValue(ClaimTypes.NameIdentifier) is { } id ? int.Parse(id, CultureInfo.InvariantCulture) : null;
    }
}
