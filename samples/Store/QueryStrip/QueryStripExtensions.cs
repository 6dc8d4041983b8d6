namespace Store.QueryStrip;

internal static class QueryStripExtensions
{
    public static void AddQueryStrip(this IServiceCollection services)
    {
        services.AddMemoryCache();
        services.AddSingleton<QuerySpans>();
        services.AddScoped<RequestQueries>();
    }

    public static void UseQueryStrip(this IApplicationBuilder app) => app.UseMiddleware<QueryStripMiddleware>();
}
