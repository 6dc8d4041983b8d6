using System.Globalization;
using System.Security.Claims;

namespace Store;

internal static class UserExtensions
{
    extension(ClaimsPrincipal principal)
    {
        /// <summary>The id of the signed-in user, or <c>null</c> for a visitor.</summary>
        public int? Id =>
            principal.FindFirstValue(ClaimTypes.NameIdentifier) is { } id ? int.Parse(id, CultureInfo.InvariantCulture) : null;
    }
}
